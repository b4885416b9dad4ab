#!/bin/sh
# SPDX-License-Identifier: MIT
# The C files are as clang-format leaves them. usage: format.sh TREE
cd "$1" || exit 1
for format in clang-format-14 clang-format; do
	case $("$format" --version 2>/dev/null) in
	*' version 14.'*) break ;;
	esac
	format=
done
if [ -z "$format" ]; then
	echo 'skipped: needs clang-format 14 (other versions format differently)'
	exit 77
fi
check() {
	find src include tests bench tools docs -name '*.[ch]' -exec "$@" {} +
}
check "$format" --dry-run -Werror 2>/dev/null && exit 0
echo "not as $format leaves it:"
check sh -c '
	format=$1
	shift
	for file; do
		"$format" --dry-run -Werror "$file" 2>/dev/null || echo "$file"
	done' sh "$format"
exit 1
