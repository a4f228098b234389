# The helpers that every target goes through: standard, warnings, sanitizers, and the flags that keep our bytes the same on
# every machine (docs/architecture.md §4).
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-Og -g1 -D_GLIBCXX_ASSERTIONS")

# Paths relative to the project, so that another clone's objects are found in the cache; the sloppiness that precompiled
# headers need.
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
endif()

add_library(weir_flags INTERFACE)
target_include_directories(weir_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(weir_flags INTERFACE -Wall -Wextra -Wpedantic -Werror -ffp-contract=off -fno-math-errno)
target_link_libraries(weir_flags INTERFACE Threads::Threads)
if(WEIR_SANITIZE)
  target_compile_options(weir_flags INTERFACE -fsanitize=${WEIR_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(weir_flags INTERFACE -fsanitize=${WEIR_SANITIZE})
endif()
if(WEIR_SANITIZE STREQUAL "thread")
  add_library(weir_tsan_threads OBJECT tests/support/tsan_threads.c)
  target_compile_options(weir_tsan_threads PRIVATE -Wall -Wextra -fsanitize=thread)
  target_sources(weir_flags INTERFACE $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:$<TARGET_OBJECTS:weir_tsan_threads>>)
endif()

if(WEIR_FUZZ)
  target_compile_options(weir_flags INTERFACE -fsanitize=fuzzer-no-link -fno-sanitize-recover=all)
endif()

# weir_library(NAME n SOURCES … [DEPS …] [PRIVATE_DEPS …])
function(weir_library)
  cmake_parse_arguments(A "" "NAME" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(weir_${A_NAME} STATIC ${A_SOURCES})
  target_link_libraries(weir_${A_NAME} PUBLIC weir_flags ${A_DEPS} PRIVATE ${A_PRIVATE_DEPS})
endfunction()

# weir_test(name LABEL unit|slow[;faults] TIMEOUT seconds [SOURCES …] DEPS …): the source is name.cpp unless given.
function(weir_test NAME)
  cmake_parse_arguments(A "" "TIMEOUT" "LABEL;SOURCES;DEPS" ${ARGN})
  if(NOT A_SOURCES)
    set(A_SOURCES ${NAME}.cpp)
  endif()
  add_executable(${NAME} ${A_SOURCES})
  target_link_libraries(${NAME} PRIVATE ${A_DEPS} GTest::gtest GTest::gtest_main)
  target_compile_options(${NAME} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1>)  # A quarter of a test's compile time.
  add_test(NAME ${NAME} COMMAND ${NAME})
  if(WEIR_SANITIZE)
    math(EXPR A_TIMEOUT "${A_TIMEOUT} * 5")
  endif()
  set_tests_properties(${NAME} PROPERTIES LABELS "${A_LABEL}" TIMEOUT ${A_TIMEOUT})
endfunction()

# weir_kafka_test(name [LABEL …] TIMEOUT seconds [SOURCES …] DEPS …): slow unless labelled; needs a real broker, which the test starts itself
# (tests/support/kafka_broker.hpp). One at a time; reported as skipped, by name, where there can be no broker.
function(weir_kafka_test NAME)
  if(NOT LABEL IN_LIST ARGN)
    list(APPEND ARGN LABEL slow)
  endif()
  weir_test(${NAME} ${ARGN})
  set_tests_properties(${NAME} PROPERTIES SKIP_RETURN_CODE 77 RESOURCE_LOCK kafka)
endfunction()

# weir_bench(name DEPS …): listed in the property WEIR_BENCHES, from which bench/CMakeLists.txt makes its list.
function(weir_bench NAME)
  cmake_parse_arguments(A "" "" "SOURCES;DEPS" ${ARGN})
  if(NOT A_SOURCES)
    set(A_SOURCES ${NAME}.cpp)
  endif()
  add_executable(${NAME} ${A_SOURCES})
  target_link_libraries(${NAME} PRIVATE ${A_DEPS} benchmark::benchmark)
  set_property(GLOBAL APPEND PROPERTY WEIR_BENCHES ${NAME})
endfunction()
