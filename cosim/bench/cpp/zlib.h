// Stand-in for zlib.h, so that waveforms need no system library: a valid zlib stream of stored blocks (RFC 1950, 1951).
#pragma once
#include <cstring>

typedef unsigned char Bytef;
typedef unsigned long uLong;
typedef unsigned long uLongf;
#define Z_OK 0
#define Z_BUF_ERROR (-5)

static inline uLong compressBound(uLong size) { return size + 5 * (size / 65535 + 1) + 6; }

static inline int compress2(Bytef* target, uLongf* capacity, const Bytef* source, uLong size, int) {
    if (*capacity < compressBound(size)) return Z_BUF_ERROR;
    Bytef* out = target;
    *out++ = 0x78;
    *out++ = 0x01;
    uLong low = 1, high = 0, done = 0;  // Adler-32
    do {
        const uLong block = size - done < 65535 ? size - done : 65535;
        *out++ = done + block == size;
        *out++ = block & 255;
        *out++ = block >> 8;
        *out++ = ~block & 255;
        *out++ = (~block >> 8) & 255;
        std::memcpy(out, source + done, block);
        for (uLong i = 0; i < block; ++i) {
            low = (low + out[i]) % 65521;
            high = (high + low) % 65521;
        }
        out += block;
        done += block;
    } while (done < size);
    *out++ = high >> 8;
    *out++ = high & 255;
    *out++ = low >> 8;
    *out++ = low & 255;
    *capacity = out - target;
    return Z_OK;
}
