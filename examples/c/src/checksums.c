// The functions of wit/world.wit. Each owns its arguments and frees them; what it returns is freed by the code in gen/.

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"

#define KIND(name) EXPORTS_CASEMATE_EXAMPLES_CHECKSUMS_FILES_CHECKSUM_ERROR_##name
#define OUTCOME(name) EXPORTS_CASEMATE_EXAMPLES_CHECKSUMS_FILES_OUTCOME_##name

typedef exports_casemate_examples_checksums_files_verification_t verification_t;
typedef exports_casemate_examples_checksums_files_listed_file_t listed_file_t;

enum { LARGEST_LIST = 1 << 20, MOST_SHOWN = 4096, USUALLY_SHOWN = 256, DIGITS = 64 };

bool exports_casemate_examples_checksums_files_compute(checksum_tools_string_t *given, algorithm_t *maybe_algorithm,
                                                       exports_casemate_examples_checksums_files_checksum_t *answer, problem_t *problem) {
    char *path = path_of(given, problem);
    checksum_tools_string_free(given);
    if (path == NULL) return false;
    algorithm_t algorithm = maybe_algorithm ? *maybe_algorithm : EXPORTS_CASEMATE_EXAMPLES_CHECKSUMS_FILES_ALGORITHM_SHA256;
    char digits[DIGITS + 1];
    bool done = sum_file(path, algorithm, digits, &answer->bytes, problem);
    if (done) checksum_tools_string_dup(&answer->value, digits);
    free(path);
    return done;
}

// Whether a text is UTF-8 (RFC 3629), as every string that leaves a component has to be.
static bool is_utf8(const char *text, size_t length) {
    const uint8_t *at = (const uint8_t *)text, *end = at + length;
    while (at < end) {
        uint8_t lead = *at++;
        int more = lead < 0x80 ? 0 : lead >= 0xc2 && lead < 0xe0 ? 1 : lead >= 0xe0 && lead < 0xf0 ? 2 : lead >= 0xf0 && lead < 0xf5 ? 3 : -1;
        if (more < 0 || end - at < more) return false;
        if ((lead == 0xe0 && at[0] < 0xa0) || (lead == 0xed && at[0] > 0x9f) || (lead == 0xf0 && at[0] < 0x90) || (lead == 0xf4 && at[0] > 0x8f))
            return false;
        for (; more > 0; more--, at++)
            if ((*at & 0xc0) != 0x80) return false;
    }
    return true;
}

// The name in a line of a list, whose checksum is put in lower case; NULL if it is no such line.
static char *name_in(char *line) {
    for (int i = 0; i < DIGITS; i++) {
        if (!isxdigit((unsigned char)line[i])) return NULL;
        line[i] = (char)tolower((unsigned char)line[i]);
    }
    bool separated = line[DIGITS] == ' ' && (line[DIGITS + 1] == ' ' || line[DIGITS + 1] == '*');
    return separated && line[DIGITS + 2] != 0 ? line + DIGITS + 2 : NULL;
}

// How the file of a line compares with the checksum at the beginning of that line.
static uint8_t outcome_of(const char *folder, size_t folder_length, const char *name, const char *expected) {
    size_t room = folder_length + strlen(name) + 1;
    char *path = malloc(room);
    if (path == NULL) abort();
    snprintf(path, room, "%.*s%s", name[0] == '/' ? 0 : (int)folder_length, folder, name);
    char digits[DIGITS + 1];
    uint64_t bytes;
    problem_t problem;
    uint8_t outcome;
    if (sum_file(path, EXPORTS_CASEMATE_EXAMPLES_CHECKSUMS_FILES_ALGORITHM_SHA256, digits, &bytes, &problem)) {
        outcome = memcmp(digits, expected, DIGITS) == 0 ? OUTCOME(MATCHES) : OUTCOME(DIFFERS);
    } else {
        outcome = problem.tag == KIND(NOT_FOUND) ? OUTCOME(MISSING) : OUTCOME(UNREADABLE);
        exports_casemate_examples_checksums_files_checksum_error_free(&problem);
    }
    free(path);
    return outcome;
}

static void add_other(verification_t *answer, const char *name, uint8_t outcome) {
    size_t length = answer->others.len;
    // Room is doubled whenever it is used up: at each power of two.
    if ((length & (length - 1)) == 0) {
        answer->others.ptr = realloc(answer->others.ptr, (length == 0 ? 1 : 2 * length) * sizeof(listed_file_t));
        if (answer->others.ptr == NULL) abort();
    }
    checksum_tools_string_dup(&answer->others.ptr[length].name, name);
    answer->others.ptr[length].outcome = outcome;
    answer->others.len = length + 1;
}

bool exports_casemate_examples_checksums_files_verify_list(checksum_tools_string_t *given, verification_t *answer, problem_t *problem) {
    char *path = path_of(given, problem);
    checksum_tools_string_free(given);
    if (path == NULL) return false;
    size_t length;
    char *list = read_file(path, LARGEST_LIST, &length, problem);
    bool done = list != NULL;
    if (done && (memchr(list, 0, length) != NULL || !is_utf8(list, length))) {
        set_problem(problem, KIND(INVALID_LIST), "%s is not UTF-8 text", path);
        done = false;
    }
    const char *slash = strrchr(path, '/');
    size_t folder_length = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    *answer = (verification_t){0};
    int number = 0;
    for (char *rest = list, *line; done && (line = strsep(&rest, "\n")) != NULL;) {
        number++;
        size_t end = strlen(line);
        if (end > 0 && line[end - 1] == '\r') line[--end] = 0;
        if (end == 0 || line[0] == '#') continue;
        char *name = name_in(line);
        if (name == NULL) {
            char format[100];
            snprintf(format, sizeof format, "line %d of %%s is not a SHA-256 checksum, two spaces and a name", number);
            set_problem(problem, KIND(INVALID_LIST), format, path);
            exports_casemate_examples_checksums_files_verification_free(answer);
            done = false;
            break;
        }
        uint8_t outcome = outcome_of(path, folder_length, name, line);
        answer->total++;
        if (outcome == OUTCOME(MATCHES))
            answer->matching++;
        else
            add_other(answer, name, outcome);
    }
    free(list);
    free(path);
    return done;
}

static char *put_line(char *at, uint64_t offset, const uint8_t *bytes, size_t length) {
    at += sprintf(at, "%08llx ", (unsigned long long)offset);
    for (size_t i = 0; i < 16; i++) at += i < length ? sprintf(at, " %02x", bytes[i]) : sprintf(at, "   ");
    at += sprintf(at, "  |");
    for (size_t i = 0; i < length; i++) *at++ = bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '.';
    return at + sprintf(at, "|\n");
}

bool exports_casemate_examples_checksums_files_dump_bytes(checksum_tools_string_t *given, uint64_t *maybe_offset, uint32_t *maybe_length,
                                                          exports_casemate_examples_checksums_files_hex_dump_t *answer, problem_t *problem) {
    // A line has an offset of at most 16 digits, 16 times 3 characters, 16 of text and 6 between them.
    enum { LINE = 16 + 16 * 3 + 16 + 6 + 1 };
    static uint8_t buffer[MOST_SHOWN];
    uint64_t offset = maybe_offset ? *maybe_offset : 0;
    uint32_t length = maybe_length ? *maybe_length : USUALLY_SHOWN;
    char *path = path_of(given, problem);
    checksum_tools_string_free(given);
    if (path == NULL) return false;
    if (length < 1 || length > MOST_SHOWN || offset > INT64_MAX - MOST_SHOWN) {
        set_problem(problem, KIND(INVALID_ARGUMENT), "length must be 1 to 4096, and offset in a file%s", "");
        free(path);
        return false;
    }
    int file = open_file(path, &answer->bytes, problem);
    ssize_t got = file < 0 ? -1 : pread(file, buffer, length, (off_t)offset);
    if (file >= 0 && got < 0) set_system_problem(problem, path);
    if (file >= 0) close(file);
    free(path);
    if (got < 0) return false;
    char *text = malloc(((size_t)got / 16 + 1) * LINE);
    if (text == NULL) abort();
    char *at = text;
    for (size_t i = 0; i < (size_t)got; i += 16) at = put_line(at, offset + i, buffer + i, (size_t)got - i < 16 ? (size_t)got - i : 16);
    answer->text = (checksum_tools_string_t){(uint8_t *)text, (size_t)(at - text)};
    return true;
}
