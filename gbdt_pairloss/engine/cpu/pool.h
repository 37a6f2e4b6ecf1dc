// Memory that the tasks of a call share: a task takes an object that no other has, or makes one.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace pairloss {

template <class T>
class Pool {
 public:
  // Call function(object) with an object of the pool, made by make() if all are in use.
  template <class Make, class Function>
  auto with(const Make& make, const Function& function) {
    std::unique_ptr<T> object = take();
    if (!object) {
      object = make();
      const std::lock_guard<std::mutex> lock(mutex_);
      free_.reserve(++made_);  // so that giving back does not allocate
    }
    struct Return {
      Pool& pool;
      std::unique_ptr<T>& object;
      ~Return() {
        const std::lock_guard<std::mutex> lock(pool.mutex_);
        pool.free_.push_back(std::move(object));
      }
    } give_back{*this, object};
    return function(*object);
  }

 private:
  std::unique_ptr<T> take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (free_.empty()) return nullptr;
    std::unique_ptr<T> object = std::move(free_.back());
    free_.pop_back();
    return object;
  }

  std::mutex mutex_;
  std::size_t made_ = 0;
  std::vector<std::unique_ptr<T>> free_;
};

}  // namespace pairloss
