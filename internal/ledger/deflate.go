package ledger

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"sync"
)

// deflaters are reused: each takes the better part of a megabyte.
var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.DefaultCompression)
	if err != nil {
		return err
	}
	return w
}}

// deflate compresses, the same bytes always to the same bytes.
func deflate(data []byte) ([]byte, error) {
	var out bytes.Buffer
	w, ok := deflaters.Get().(*flate.Writer)
	if !ok {
		return nil, errors.New("no compressor")
	}
	defer deflaters.Put(w)
	w.Reset(&out)
	if _, err := w.Write(data); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return out.Bytes(), nil
}

// inflate undoes deflate; it expects size bytes and takes no more.
func inflate(data []byte, size int64) ([]byte, error) {
	if size < 0 {
		return nil, fmt.Errorf("decompress: %d bytes expected", size)
	}
	r := flate.NewReader(bytes.NewReader(data))
	out, err := io.ReadAll(io.LimitReader(r, size+1))
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	if int64(len(out)) != size {
		return nil, fmt.Errorf("decompress: %d bytes expected, found more or fewer", size)
	}
	return out, nil
}
