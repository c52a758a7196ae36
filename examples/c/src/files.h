// Reading files, with the errors of wit/world.wit.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../gen/checksum_tools.h"

typedef exports_casemate_examples_checksums_files_checksum_error_t problem_t;
typedef exports_casemate_examples_checksums_files_algorithm_t algorithm_t;

// A path as C wants it, to be freed; NULL, and a problem, where it holds a zero byte.
char *path_of(const checksum_tools_string_t *given, problem_t *problem);

// Opens a file for reading: its descriptor, and its size. -1, and a problem, where it is none or cannot be opened.
int open_file(const char *path, uint64_t *bytes, problem_t *problem);

// Reads a whole file of at most `most` bytes and ends it with a zero byte; to be freed. NULL, and a problem, if it cannot be read or has more.
char *read_file(const char *path, size_t most, size_t *length, problem_t *problem);

// The checksum of a file in hexadecimal digits, at most 64, and how many bytes it has.
bool sum_file(const char *path, algorithm_t algorithm, char digits[65], uint64_t *bytes, problem_t *problem);

// Sets a problem of one kind, with words for people: a text in which `%s` is the path.
void set_problem(problem_t *problem, uint8_t kind, const char *format, const char *path);

// Sets the problem that `errno` tells about a path.
void set_system_problem(problem_t *problem, const char *path);
