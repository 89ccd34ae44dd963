//go:build !unix

package sensors

import "errors"

// sysFiles are there on Linux alone.
type sysFiles struct{}

func (sysFiles) read(string) ([]byte, error) { return nil, errors.ErrUnsupported }
func (sysFiles) write(string, string) error  { return errors.ErrUnsupported }
