// Package ambitv1 is the messages of the API of a host, version 1: Go code made of
// the protobuf files beside it by `make api`. docs/api.md says what they do.
package ambitv1
