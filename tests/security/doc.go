// Package security asks the built program what an attacker would: requests that are not the host's, bodies made to break
// a reader, names made to break a key, policies that never end, and secrets that must not come out again. It holds only
// tests. What a process on the same machine can do all the same is written down in docs/reliability.md.
package security
