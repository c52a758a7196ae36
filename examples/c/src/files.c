#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sha256.h"

#define KIND(name) EXPORTS_CASEMATE_EXAMPLES_CHECKSUMS_FILES_CHECKSUM_ERROR_##name

void set_problem(problem_t *problem, uint8_t kind, const char *format, const char *path) {
    size_t room = strlen(format) + strlen(path) + 1;
    char *text = malloc(room);
    if (text == NULL) abort();
    // The formats are those of this program; only the path comes from elsewhere.
    int length = snprintf(text, room, format, path);
    problem->tag = kind;
    // Every case of the variant holds a string.
    problem->val.failed = (checksum_tools_string_t){(uint8_t *)text, (size_t)length};
}

void set_system_problem(problem_t *problem, const char *path) {
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        set_problem(problem, KIND(NOT_FOUND), "there is no %s", path);
        return;
    case EACCES:
    case EPERM:
    case ENOTCAPABLE: // a path in no folder that the host opened for the component
        set_problem(problem, KIND(NOT_PERMITTED), "%s may not be read", path);
        return;
    case EISDIR:
        set_problem(problem, KIND(NOT_A_FILE), "%s is a folder", path);
        return;
    default: {
        char format[160];
        snprintf(format, sizeof format, "cannot read %%s: %s", strerror(errno));
        set_problem(problem, KIND(FAILED), format, path);
    }
    }
}

char *path_of(const checksum_tools_string_t *given, problem_t *problem) {
    if (given->len == 0 || memchr(given->ptr, 0, given->len) != NULL) {
        set_problem(problem, KIND(INVALID_ARGUMENT), "a path is not empty and holds no zero byte%s", "");
        return NULL;
    }
    char *path = malloc(given->len + 1);
    if (path == NULL) abort();
    memcpy(path, given->ptr, given->len);
    path[given->len] = 0;
    return path;
}

int open_file(const char *path, uint64_t *bytes, problem_t *problem) {
    int file = open(path, O_RDONLY);
    struct stat about;
    if (file < 0 || fstat(file, &about) != 0) {
        set_system_problem(problem, path);
        if (file >= 0) close(file);
        return -1;
    }
    if (!S_ISREG(about.st_mode)) {
        set_problem(problem, KIND(NOT_A_FILE), S_ISDIR(about.st_mode) ? "%s is a folder" : "%s is not a file", path);
        close(file);
        return -1;
    }
    *bytes = (uint64_t)about.st_size;
    return file;
}

char *read_file(const char *path, size_t most, size_t *length, problem_t *problem) {
    uint64_t bytes;
    int file = open_file(path, &bytes, problem);
    if (file < 0) return NULL;
    char *text = malloc(most + 2);
    if (text == NULL) abort();
    size_t got = 0;
    ssize_t now = 1;
    while (now > 0 && got <= most) {
        now = read(file, text + got, most + 1 - got);
        if (now > 0) got += (size_t)now;
    }
    if (now < 0)
        set_system_problem(problem, path);
    else if (got > most)
        set_problem(problem, KIND(INVALID_LIST), "%s is larger than a list of checksums is", path);
    close(file);
    if (now < 0 || got > most) {
        free(text);
        return NULL;
    }
    text[got] = 0;
    *length = got;
    return text;
}

static uint32_t crc32_add(uint32_t crc, const uint8_t *bytes, size_t length) {
    static uint32_t table[256];
    if (table[1] == 0)
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t value = i;
            for (int bit = 0; bit < 8; bit++) value = value & 1 ? value >> 1 ^ 0xedb88320 : value >> 1;
            table[i] = value;
        }
    for (; length > 0; bytes++, length--) crc = table[(crc ^ *bytes) & 0xff] ^ crc >> 8;
    return crc;
}

bool sum_file(const char *path, algorithm_t algorithm, char digits[65], uint64_t *bytes, problem_t *problem) {
    static uint8_t buffer[1 << 16];
    int file = open_file(path, bytes, problem);
    if (file < 0) return false;
    sha256_t sha;
    sha256_begin(&sha);
    uint32_t crc = 0xffffffff;
    ssize_t now;
    *bytes = 0; // counted anew: a file may grow while it is read
    while ((now = read(file, buffer, sizeof buffer)) > 0) {
        *bytes += (uint64_t)now;
        if (algorithm == EXPORTS_CASEMATE_EXAMPLES_CHECKSUMS_FILES_ALGORITHM_SHA256)
            sha256_add(&sha, buffer, (size_t)now);
        else
            crc = crc32_add(crc, buffer, (size_t)now);
    }
    if (now < 0) set_system_problem(problem, path);
    close(file);
    if (now < 0) return false;
    if (algorithm == EXPORTS_CASEMATE_EXAMPLES_CHECKSUMS_FILES_ALGORITHM_SHA256) {
        uint8_t digest[32];
        sha256_end(&sha, digest);
        for (int i = 0; i < 32; i++) snprintf(digits + 2 * i, 3, "%02x", digest[i]);
    } else {
        snprintf(digits, 65, "%08x", (unsigned)(crc ^ 0xffffffff));
    }
    return true;
}
