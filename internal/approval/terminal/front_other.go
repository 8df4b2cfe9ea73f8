//go:build !linux

package terminal

import (
	"context"
	"errors"
	"fmt"

	"ambit.dev/ambit/internal/approval"
)

// Ask is for Linux.
func (f *Front) Ask(context.Context, approval.Question) (approval.Answer, error) {
	return approval.Answer{}, fmt.Errorf("ask on the terminal: %w", errors.ErrUnsupported)
}
