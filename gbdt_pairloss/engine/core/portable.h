// What the core needs of the compilers that read it: g++, clang and, for the GPU, NVRTC.
//
// The headers of this folder hold the mathematics of the engines. They allocate nothing, throw nothing and use no
// container, so that a kernel on a GPU can include them as well as a loop on the CPU.
#pragma once

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define PAIRLOSS_CORE __host__ __device__ inline
#else
#define PAIRLOSS_CORE inline
#endif

#ifdef __CUDACC_RTC__
// NVRTC declares the functions of <cmath> and <cstring>, but has no header.
namespace std {
using int32_t = int;
using int64_t = long long;
using uint32_t = unsigned int;
using uint64_t = unsigned long long;
}  // namespace std
#else
#include <cmath>
#include <cstdint>
#include <cstring>
#endif
