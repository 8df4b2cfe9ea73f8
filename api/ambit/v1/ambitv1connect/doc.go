// Package ambitv1connect has the clients and the handlers of the API's services, as
// Connect: made by `make api`.
package ambitv1connect
