/* Put in front of every C++ file while llama.cpp is built (scripts/bootstrap.py).
 *
 * GCC's intrinsic for ldtilecfg (seen in 12.2) says that it reads 8 bytes of the 64-byte tile configuration. The compiler
 * then drops the stores to the other 56 as dead, and on a processor with AMX the instruction faults at llama.cpp's first
 * prompt of a quantized model. This one names all 64 bytes.
 */
#if defined(__x86_64__) && defined(__AMX_TILE__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>

static inline void studio_tile_loadconfig(const void *config) {
    __asm__ volatile("ldtilecfg %0" : : "m"(*(const char(*)[64])config) : "memory");
}

#undef _tile_loadconfig
#define _tile_loadconfig studio_tile_loadconfig
#endif
