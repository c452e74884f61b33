//go:build !race

package policy_test

const slack = 1
