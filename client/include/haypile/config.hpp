// What every public header needs first: the check of the language, and the mark of what a shared
// library shows.
#pragma once

#if __cplusplus < 202002L
#error "Haypile needs C++20: compile with -std=c++20 or a later standard."
#endif

// Marks the classes and functions that programs use; a shared library hides everything else.
#define HAYPILE_EXPORT [[gnu::visibility("default")]]
