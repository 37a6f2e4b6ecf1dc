// The part of CUDA C++ that the kernels use, for a C++ compiler. Every thread of a block is a fiber, which runs until it
// waits for the others at a barrier or a shuffle. The simulator finds errors that no compiler finds: barriers that some
// threads do not reach, shuffles of lanes that have returned, shared memory that is read before it is written (it is
// NaN at first), and results that depend on the order of the threads (``backwards``).
#pragma once

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ucontext.h>
#include <vector>

using std::max, std::min;

#define __global__
#define __device__
#define __launch_bounds__(n)
#define __shared__ static __attribute__((section("shared_memory")))

extern __attribute__((visibility("hidden"))) char __start_shared_memory[], __stop_shared_memory[];
__attribute__((used)) __shared__ char some_shared_memory;

namespace simulator {

enum State { RUNS, AT_BARRIER, AT_SHUFFLE, DONE };

struct Thread {
    ucontext_t start;
    jmp_buf here;
    std::vector<char> stack = std::vector<char>(1 << 16);
    State state;
    bool started;
    int lane_from;         // of a shuffle
    unsigned long long given, taken;
    int vote, outcome;     // of a barrier
};

struct Index {
    unsigned x;
};

inline std::vector<Thread> threads;
inline int current;
inline Index thread_index, block_index;
inline jmp_buf scheduler;
inline void (*body)(const void*) = nullptr;
inline const void* captured = nullptr;

[[noreturn]] inline void fail(const char* what) {
    std::fprintf(stderr, "simulated block %u: %s\n", block_index.x, what);
    std::abort();
}

inline void wait(State state) {
    threads[current].state = state;
    if (_setjmp(threads[current].here) == 0) _longjmp(scheduler, 1);
}

inline void enter() {
    body(captured);
    threads[current].state = DONE;
    _longjmp(scheduler, 1);
}

inline void resume(int number) {
    current = number;
    thread_index.x = number;
    Thread& thread = threads[number];
    thread.state = RUNS;
    if (_setjmp(scheduler) != 0) return;
    if (thread.started) _longjmp(thread.here, 1);
    thread.started = true;
    setcontext(&thread.start);
}

// Exchange the values of a warp's lanes, if all of them are at a shuffle.
inline bool shuffle(int first) {
    int waiting = 0;
    for (int lane = 0; lane < 32; ++lane) waiting += threads[first + lane].state == AT_SHUFFLE;
    if (waiting < 32) return false;
    for (int lane = 0; lane < 32; ++lane) {
        Thread& thread = threads[first + lane];
        thread.taken = threads[first + thread.lane_from].given;
        thread.state = RUNS;
    }
    return true;
}

inline void run_block(int n_threads, bool backwards) {
    // Shared memory that the block has not written is NaN.
    std::memset(__start_shared_memory, 0xff, __stop_shared_memory - __start_shared_memory);
    for (Thread& thread : threads) {
        thread.state = RUNS;
        thread.started = false;
        getcontext(&thread.start);
        thread.start.uc_stack.ss_sp = thread.stack.data();
        thread.start.uc_stack.ss_size = thread.stack.size();
        thread.start.uc_link = nullptr;
        makecontext(&thread.start, enter, 0);
    }
    while (true) {
        for (int k = 0; k < n_threads; ++k) {
            int number = backwards ? n_threads - 1 - k : k;
            if (threads[number].state == RUNS) resume(number);
        }
        bool some = false;
        for (int first = 0; first < n_threads; first += 32) some |= shuffle(first);
        if (some) continue;
        int done = 0, at_barrier = 0, vote = 0;
        for (Thread& thread : threads) {
            done += thread.state == DONE;
            at_barrier += thread.state == AT_BARRIER;
            vote |= thread.vote;
        }
        if (done == n_threads) return;
        if (at_barrier < n_threads) fail("some threads wait at a barrier that others do not reach");
        for (Thread& thread : threads) {
            thread.outcome = vote;
            thread.state = RUNS;
        }
    }
}

template <class Kernel>
void run(int n_blocks, int n_threads, bool backwards, const Kernel& kernel) {
    threads.resize(n_threads);
    body = [](const void* what) { (*static_cast<const Kernel*>(what))(); };
    captured = &kernel;
    for (int block = 0; block < n_blocks; ++block) {
        block_index.x = backwards ? n_blocks - 1 - block : block;
        run_block(n_threads, backwards);
    }
    captured = nullptr;
}

}  // namespace simulator

#define threadIdx simulator::thread_index
#define blockIdx simulator::block_index

inline int __syncthreads_or(int vote) {
    simulator::threads[simulator::current].vote = vote != 0;
    simulator::wait(simulator::AT_BARRIER);
    return simulator::threads[simulator::current].outcome;
}

inline void __syncthreads() { __syncthreads_or(0); }

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int step) {
    using namespace simulator;
    if (mask != 0xffffffffu) fail("only whole warps are simulated");
    Thread& thread = threads[current];
    std::memcpy(&thread.given, &value, sizeof value);
    thread.lane_from = (current % 32) ^ step;
    wait(AT_SHUFFLE);
    std::memcpy(&value, &threads[current].taken, sizeof value);
    return value;
}

inline void atomicMin(int* to, int value) { *to = min(*to, value); }
inline void atomicMax(int* to, int value) { *to = max(*to, value); }
