// What the core needs of the compilers that read it: g++, clang and, for the GPU, NVRTC.
//
// The headers of this folder hold the mathematics of the engines. They allocate nothing, throw nothing and use no
// container, so that a kernel on a GPU can include them as well as a loop on the CPU.
#pragma once

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define PAIRLOSS_CORE __host__ __device__ inline
#else
#define PAIRLOSS_CORE inline
#include <cmath>
#include <cstdint>
#endif
