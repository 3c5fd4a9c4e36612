//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

// Package localpg runs a private PostgreSQL server on Unix. On this system it can only say that it does not.
package localpg

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
)

// ErrNotInstalled is what a start returns on Unix when no suitable PostgreSQL is found.
var ErrNotInstalled = errors.New("PostgreSQL 14 or newer is not installed: install it, or set DATABASE_URL")

// ErrInUse is what Keep returns on Unix when the data folder is served already.
var ErrInUse = errors.New("in use by another process")

var errUnsupported = fmt.Errorf("a private PostgreSQL server is not supported on %s: set DATABASE_URL (%w)",
	runtime.GOOS, errors.ErrUnsupported)

// Server is never made.
type Server struct{}

// Temp returns an error that is errors.ErrUnsupported.
func Temp(context.Context, ...string) (*Server, error) { return nil, errUnsupported }

// TempInMemory returns an error that is errors.ErrUnsupported.
func TempInMemory(context.Context, ...string) (*Server, error) { return nil, errUnsupported }

// Keep returns an error that is errors.ErrUnsupported.
func Keep(context.Context, string) (*Server, error) { return nil, errUnsupported }

// Command returns an error that is errors.ErrUnsupported.
func Command(context.Context, string, ...string) (*exec.Cmd, error) { return nil, errUnsupported }

// URL returns nothing.
func (*Server) URL(string) string { return "" }

// Dir returns nothing.
func (*Server) Dir() string { return "" }

// Version returns nothing.
func (*Server) Version() string { return "" }

// Stop does nothing.
func (*Server) Stop() error { return nil }
