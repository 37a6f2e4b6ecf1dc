// The extension module _cpu: the level of the instruction set that the processor has, by CPUID.
//
// The levels are those of the x86-64 psABI (section 3.1.1, https://gitlab.com/x86-psABIs/x86-64-ABI), and "generic" on
// other processors. __builtin_cpu_supports("x86-64-v3") would do the same, but needs g++ 12 or clang 18, and a library
// that clang-cl does not link.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if defined(__x86_64__) || defined(_M_X64)
#include <cpuid.h>

namespace {

struct Registers {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// The answer of CPUID, all zeros where the processor does not have the leaf.
Registers cpuid(unsigned leaf) {
  Registers r;
  __get_cpuid_count(leaf, 0, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

// The register states that the operating system saves (XCR0).
unsigned saved_states() {
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

constexpr bool has_all(unsigned word, unsigned bits) { return (word & bits) == bits; }

const char* level() {
  // SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, POPCNT; LAHF
  constexpr unsigned v2 = bit_SSE3 | bit_SSSE3 | bit_CMPXCHG16B | bit_SSE4_1 | bit_SSE4_2 | bit_POPCNT;
  constexpr unsigned v2_extended = bit_LAHF_LM;
  // FMA, MOVBE, OSXSAVE, AVX, F16C; BMI, AVX2, BMI2; LZCNT
  constexpr unsigned v3 = bit_FMA | bit_MOVBE | bit_OSXSAVE | bit_AVX | bit_F16C;
  constexpr unsigned v3_structured = bit_BMI | bit_AVX2 | bit_BMI2;
  constexpr unsigned v3_extended = bit_LZCNT;
  constexpr unsigned v4_structured = bit_AVX512F | bit_AVX512DQ | bit_AVX512CD | bit_AVX512BW | bit_AVX512VL;
  constexpr unsigned states_of_avx = 0x6, states_of_avx512 = 0xe6;

  const unsigned basic = cpuid(1).ecx, structured = cpuid(7).ebx, extended = cpuid(0x80000001).ecx;
  if (!has_all(basic, v2) || !has_all(extended, v2_extended)) return "v1";
  if (!has_all(basic, v3) || !has_all(structured, v3_structured) || !has_all(extended, v3_extended)) return "v2";
  const unsigned states = saved_states();
  if (!has_all(states, states_of_avx)) return "v2";
  if (!has_all(structured, v4_structured) || !has_all(states, states_of_avx512)) return "v3";
  return "v4";
}

}  // namespace
#else
namespace {

const char* level() { return "generic"; }

}  // namespace
#endif

namespace {

PyObject* py_level(PyObject*, PyObject*) { return PyUnicode_FromString(level()); }

PyMethodDef methods[] = {
    {"level", py_level, METH_NOARGS, "Return the level of the processor's instruction set."},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_cpu", nullptr, 0, methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__cpu() { return PyModule_Create(&definition); }
