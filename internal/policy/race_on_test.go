//go:build race

package policy_test

// slack is how many times more the race detector allocates: it empties pools at random.
const slack = 1.5
