// What leaves the library. Everything is compiled with hidden visibility; only what is marked here can be linked to.
#pragma once

/// Stands before each function that a public header declares and the library defines. Classes are not marked: that
/// would show their implementations (`resolver::impl`) too.
#define LBRESOLVE_EXPORT __attribute__((visibility("default")))
