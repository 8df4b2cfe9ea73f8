// Package request reads the HTTP requests of a program, has each one decided,
// and writes it anew toward where it may go.
//
// It sees interfaces only: who decides, who connects, who puts secrets in.
package request
