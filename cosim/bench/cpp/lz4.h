// Stand-in for lz4.h, so that waveforms need no system library: a valid LZ4 block that holds one run of literals.
// (LZ4 block format, lz4_Block_format.md: token, length bytes of 255, literals.) Bigger files, same readers.
#pragma once
#include <cstring>

static inline int LZ4_compressBound(int size) { return size + size / 255 + 16; }

static inline int LZ4_compress_default(const char* source, char* target, int size, int capacity) {
    if (capacity < LZ4_compressBound(size)) return 0;
    unsigned char* out = reinterpret_cast<unsigned char*>(target);
    if (size < 15) {
        *out++ = static_cast<unsigned char>(size << 4);
    } else {
        *out++ = 15 << 4;
        int rest = size - 15;
        for (; rest >= 255; rest -= 255) *out++ = 255;
        *out++ = static_cast<unsigned char>(rest);
    }
    std::memcpy(out, source, size);
    return static_cast<int>(out - reinterpret_cast<unsigned char*>(target)) + size;
}
