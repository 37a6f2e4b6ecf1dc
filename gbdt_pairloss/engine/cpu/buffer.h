// Arrays that the loops work in: aligned, not initialised, freed at the end of their scope.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

namespace pairloss {

template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size) { reserve(size); }
  Buffer(Buffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Buffer() { free(); }

  // Make room for `size` entries; what the buffer holds is lost if it has to grow.
  T* reserve(std::size_t size) {
    if (size > size_) {
      free();
      data_ = static_cast<T*>(::operator new(size * sizeof(T), kAlignment));
      size_ = size;
    }
    return data_;
  }

  T* get() const { return data_; }
  T& operator[](std::size_t k) const { return data_[k]; }

 private:
  static constexpr std::align_val_t kAlignment{64};

  void free() {
    if (data_ != nullptr) ::operator delete(data_, kAlignment);
    data_ = nullptr;
    size_ = 0;
  }

  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace pairloss
