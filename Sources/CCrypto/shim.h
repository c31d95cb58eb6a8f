// CCrypto: of OpenSSL's libcrypto, which libvips brings along, the message digests.
#pragma once
#include <openssl/evp.h>
