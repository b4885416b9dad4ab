#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles alone, as C11 and as C++17, without a warning.
# usage: headers.sh INCLUDE_DIR CC [CXX]    CXX may be missing: then only C is tried
include=$1 cc=$2 cxx=${3-}
warnings='-Wall -Wextra -Wpedantic -Werror'
passed=0 failed=0

try() {
	header=$1
	shift
	# Included twice: the guard has to work, too. C wants a declaration in every file.
	if printf '#include <wpool/%s>\n#include <wpool/%s>\nextern int x;\n' "$header" "$header" |
		"$@" -I"$include" $warnings -fsyntax-only -; then
		passed=$((passed + 1))
	else
		echo "FAILED: $header alone with $*"
		failed=$((failed + 1))
	fi
}

[ -n "$cxx" ] || echo 'no C++ compiler: the headers are tried as C only'
for path in "$include"/wpool/*.h; do
	header=${path##*/}
	try "$header" "$cc" -std=c11 -x c
	[ -z "$cxx" ] || try "$header" "$cxx" -std=c++17 -x c++
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
