// The guest: each function tries what it is named after once. An instance lives for one call, so nothing is given back.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wasi/libc-environ.h>

#include "gen/probe.h"

enum { MOST = 4096, PAGE = 65536, PAGES = 16 };

// A text of the guest's own; what is returned is freed by the generated code.
static void say(probe_string_t *answer, const char *text) {
    probe_string_dup(answer, text);
}

static bool failed(probe_string_t *problem, const char *what) {
    char text[160];
    snprintf(text, sizeof text, "%s: %s", what, strerror(errno));
    say(problem, text);
    return false;
}

// A text that was given, with a zero byte at its end.
static char *ended(const probe_string_t *given) {
    char *text = malloc(given->len + 1);
    if (text == NULL) abort();
    memcpy(text, given->ptr, given->len);
    text[given->len] = 0;
    return text;
}

// Adds a line to a text of at most MOST bytes; what does not fit is left out.
static void add(char *text, const char *line) {
    size_t used = strlen(text);
    snprintf(text + used, MOST - used, "%s%s", used == 0 ? "" : "\n", line);
}

bool exports_probe_read_file(probe_string_t *path, probe_string_t *answer, probe_string_t *problem) {
    static char text[MOST + 1];
    int file = open(ended(path), O_RDONLY);
    if (file < 0) return failed(problem, "open");
    ssize_t got = read(file, text, MOST);
    if (got < 0) return failed(problem, "read");
    text[got] = 0;
    say(answer, text);
    return true;
}

bool exports_probe_write_file(probe_string_t *path, probe_string_t *text, probe_string_t *answer, probe_string_t *problem) {
    int file = open(ended(path), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0) return failed(problem, "open");
    if (write(file, text->ptr, text->len) != (ssize_t)text->len) return failed(problem, "write");
    say(answer, "written");
    return true;
}

bool exports_probe_list_directory(probe_string_t *path, probe_string_t *answer, probe_string_t *problem) {
    static char names[MOST];
    DIR *directory = opendir(ended(path));
    if (directory == NULL) return failed(problem, "opendir");
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) add(names, entry->d_name);
    say(answer, names);
    return true;
}

// What a request that failed was told, as the number of the case in wasi:http/types.error-code.
static bool refused(probe_string_t *problem, uint8_t code) {
    char text[40];
    snprintf(text, sizeof text, "error code %u", code);
    say(problem, text);
    return false;
}

bool exports_probe_fetch(probe_string_t *authority, probe_string_t *answer, probe_string_t *problem) {
    wasi_http_types_own_outgoing_request_t request = wasi_http_types_constructor_outgoing_request(wasi_http_types_constructor_fields());
    wasi_http_types_borrow_outgoing_request_t set = wasi_http_types_borrow_outgoing_request(request);
    wasi_http_types_scheme_t scheme = {.tag = WASI_HTTP_TYPES_SCHEME_HTTP};
    probe_string_t path;
    probe_string_set(&path, "/");
    if (!wasi_http_types_method_outgoing_request_set_scheme(set, &scheme) ||
        !wasi_http_types_method_outgoing_request_set_authority(set, authority) ||
        !wasi_http_types_method_outgoing_request_set_path_with_query(set, &path)) {
        say(problem, "no such address");
        return false;
    }
    wasi_http_types_own_future_incoming_response_t coming;
    wasi_http_types_error_code_t code;
    if (!wasi_http_outgoing_handler_handle(request, NULL, &coming, &code)) return refused(problem, code.tag);
    wasi_http_types_borrow_future_incoming_response_t wait = wasi_http_types_borrow_future_incoming_response(coming);
    wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(wasi_http_types_method_future_incoming_response_subscribe(wait)));
    wasi_http_types_result_result_own_incoming_response_error_code_void_t got;
    if (!wasi_http_types_method_future_incoming_response_get(wait, &got) || got.is_err) {
        say(problem, "no answer");
        return false;
    }
    if (got.val.ok.is_err) return refused(problem, got.val.ok.val.err.tag);
    wasi_http_types_borrow_incoming_response_t response = wasi_http_types_borrow_incoming_response(got.val.ok.val.ok);
    wasi_http_types_own_incoming_body_t body;
    wasi_http_types_own_input_stream_t stream;
    wasi_io_streams_stream_error_t error;
    probe_list_u8_t piece;
    if (!wasi_http_types_method_incoming_response_consume(response, &body) ||
        !wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(body), &stream) ||
        !wasi_io_streams_method_input_stream_blocking_read(wasi_io_streams_borrow_input_stream(stream), MOST, &piece, &error)) {
        say(problem, "no body");
        return false;
    }
    probe_string_dup_n(answer, (const char *)piece.ptr, piece.len);
    return true;
}

bool exports_probe_look_up(probe_string_t *name, probe_string_t *answer, probe_string_t *problem) {
    static char addresses[MOST];
    wasi_sockets_ip_name_lookup_borrow_network_t network =
        wasi_sockets_network_borrow_network(wasi_sockets_instance_network_instance_network());
    wasi_sockets_ip_name_lookup_own_resolve_address_stream_t stream;
    wasi_sockets_ip_name_lookup_error_code_t code;
    if (!wasi_sockets_ip_name_lookup_resolve_addresses(network, name, &stream, &code)) return refused(problem, code);
    wasi_sockets_ip_name_lookup_borrow_resolve_address_stream_t next = wasi_sockets_ip_name_lookup_borrow_resolve_address_stream(stream);
    for (;;) {
        wasi_sockets_ip_name_lookup_option_ip_address_t address;
        wasi_io_poll_method_pollable_block(
            wasi_io_poll_borrow_pollable(wasi_sockets_ip_name_lookup_method_resolve_address_stream_subscribe(next)));
        if (!wasi_sockets_ip_name_lookup_method_resolve_address_stream_resolve_next_address(next, &address, &code))
            return refused(problem, code);
        if (!address.is_some) break;
        char text[20] = "IPv6";
        wasi_sockets_network_ipv4_address_t *four = &address.val.val.ipv4;
        if (address.val.tag == WASI_SOCKETS_NETWORK_IP_ADDRESS_IPV4)
            snprintf(text, sizeof text, "%u.%u.%u.%u", four->f0, four->f1, four->f2, four->f3);
        add(addresses, text);
    }
    say(answer, addresses);
    return true;
}

void exports_probe_variables(probe_string_t *answer) {
    static char lines[MOST];
    for (char **variable = __wasilibc_get_environ(); variable != NULL && *variable != NULL; variable++) add(lines, *variable);
    say(answer, lines);
}

void exports_probe_print_line(probe_string_t *text, probe_string_t *answer) {
    printf("%s\n", ended(text));
    fflush(stdout);
    say(answer, "printed");
}

uint32_t exports_probe_take_memory(uint32_t mebibytes) {
    for (uint32_t taken = 0; taken < mebibytes; taken++) {
        size_t first = __builtin_wasm_memory_grow(0, PAGES);
        if (first == SIZE_MAX) return taken;
        // Touched, so that it is memory and not only a promise of it.
        memset((char *)(first * PAGE), 1, PAGES * PAGE);
    }
    return mebibytes;
}

void exports_probe_spin(probe_string_t *answer) {
    (void)answer;
    for (volatile unsigned turn = 0;;) turn++;
}
