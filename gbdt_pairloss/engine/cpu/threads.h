// The threads of one call: started when they are first needed and joined before the call returns.
//
// No thread outlives a call, so that a process may fork between two of them. Tasks are numbered, and which thread does
// a task is left open: results do not depend on the number of threads if a task writes to places of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace pairloss {

// Tasks per thread. More tasks balance the load better, and fewer cost less.
constexpr int kTasksPerThread = 6;

class Team {
 public:
  // `size` counts the thread of the caller.
  explicit Team(int size) : size_(size < 1 ? 1 : size) {}
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  ~Team() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ends_ = true;
    }
    starts_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  int size() const { return size_; }

  // Call task(0) to task(n - 1), each once, and wait for all. The first exception of a task is thrown to the caller
  // after the tasks in progress have ended; the others are not started.
  void run(std::int64_t n, const std::function<void(std::int64_t)>& task) {
    const std::int64_t wanted = (n < size_ ? n : size_) - 1;
    start(wanted);
    if (wanted < 1 || threads_.empty()) {
      for (std::int64_t k = 0; k < n; ++k) task(k);
      return;
    }
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      task_ = &task;
      n_ = n;
      next_ = 0;
      failure_ = nullptr;
      working_ = static_cast<int>(threads_.size());
      ++round_;
    }
    starts_.notify_all();
    work();
    std::unique_lock<std::mutex> lock(mutex_);
    ended_.wait(lock, [this] { return working_ == 0; });
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void start(std::int64_t wanted) {
    while (static_cast<std::int64_t>(threads_.size()) < wanted) {
      try {
        threads_.emplace_back([this, round = round_] { serve(round); });
      } catch (const std::system_error&) {  // the system refuses another thread: those that there are do the work
        return;
      }
    }
  }

  void serve(std::int64_t seen) {
    while (true) {
      {
        std::unique_lock<std::mutex> lock(mutex_);
        starts_.wait(lock, [&] { return ends_ || round_ != seen; });
        if (ends_) return;
        seen = round_;
      }
      work();
      bool last;
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        last = --working_ == 0;
      }
      if (last) ended_.notify_one();
    }
  }

  void work() {
    for (std::int64_t k = next_++; k < n_; k = next_++) {
      try {
        (*task_)(k);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (!failure_) failure_ = std::current_exception();
        next_ = n_;
      }
    }
  }

  const int size_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable starts_, ended_;
  const std::function<void(std::int64_t)>* task_ = nullptr;
  std::int64_t n_ = 0;
  std::atomic<std::int64_t> next_{0};
  std::int64_t round_ = 0;
  int working_ = 0;
  bool ends_ = false;
  std::exception_ptr failure_;
};

}  // namespace pairloss
