// SPDX-License-Identifier: MIT
// Empty: a package with this file may declare functions without a body, as tally.go does.
