// SHA-256 (FIPS 180-4).
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t state[8];
    uint64_t length; // in bytes
    uint8_t block[64];
} sha256_t;

void sha256_begin(sha256_t *sha);
void sha256_add(sha256_t *sha, const uint8_t *bytes, size_t length);
void sha256_end(sha256_t *sha, uint8_t digest[32]);
