//go:build !linux

package sensors

import "errors"

func diskUsed(string, string) (float64, error) { return 0, errors.ErrUnsupported }
