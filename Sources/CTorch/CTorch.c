// CTorch: nothing to compile here; SwiftPM wants one source file per C target.
#include "CTorch.h"
