// A library that another program loads while it runs, with Haypile's client inside.
#include <haypile/client.hpp>

// Returns whether a broker lets us in.
extern "C" bool connects(const char* uri) {
  try {
    haypile::Connection connection(uri);
    return true;
  } catch (const haypile::Error&) {
    return false;
  }
}
