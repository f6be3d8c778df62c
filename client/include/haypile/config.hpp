// What every public header needs first: the check of the language.
#pragma once

#if __cplusplus < 202002L
#error "Haypile needs C++20: compile with -std=c++20 or a later standard."
#endif
