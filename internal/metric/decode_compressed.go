package metric

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// The limits of what a compressed body may become. The ratio holds beyond a size that nobody minds: a body that says
// the same thing many times compresses well without being an attack.
const (
	// MaxInflated is the size in bytes above which an uncompressed body is not read.
	MaxInflated = 16 << 20
	// MaxRatio is how many bytes may come of one.
	MaxRatio = 100
	// mildRatio is the size up to which the ratio does not matter.
	mildRatio = 64 << 10
	// keptBuffer is the largest buffer that a Decoder keeps for the next body.
	keptBuffer = 1 << 20
)

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// encodings are the names that a content-encoding may have; true ones say nothing against reading the body as it is.
var encodings = map[string]bool{
	"gzip": true, "x-gzip": true, "zstd": true, "identity": true,
	"deflate": true, "br": true, "snappy": true, "x-snappy-framed": true, "lz4": true, "compress": true,
}

// inflater undoes gzip and Zstandard, by their first bytes: those cannot lie, and a property may be missing or left
// over from a layer that was taken off on the way (facts: events 1.10).
type inflater struct {
	in    bytes.Reader
	gzip  *gzip.Reader
	zstd  *zstd.Decoder
	plain bytes.Buffer
}

func compressed(body []byte) bool {
	return bytes.HasPrefix(body, gzipMagic) || bytes.HasPrefix(body, zstdMagic)
}

// inflate uncompresses a body; reason says why it is not read, otherwise "". The result is valid until the next call.
func (f *inflater) inflate(body []byte) (plain []byte, reason, detail string) {
	name := gzipBody
	if bytes.HasPrefix(body, zstdMagic) {
		name = zstdBody
	}
	if f.plain.Cap() > keptBuffer {
		f.plain = bytes.Buffer{}
	}
	f.plain.Reset()
	r, err := f.reader(name, body)
	if err != nil {
		return nil, ReasonCompressed, fmt.Sprintf("the body looks like %s and is none: %v", name, err)
	}
	limit := min(MaxInflated, max(mildRatio, MaxRatio*len(body)))
	switch _, err := io.Copy(&f.plain, io.LimitReader(r, int64(limit)+1)); {
	case f.plain.Len() > limit, errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return nil, ReasonTooLarge, fmt.Sprintf("the body of %d bytes (%s) holds more than %d; at most %d are read, and %d times as "+
			"many as it has: send several bodies", len(body), name, limit, MaxInflated, MaxRatio)
	case err != nil:
		return nil, ReasonCompressed, fmt.Sprintf("the body looks like %s and is broken: %v", name, err)
	case compressed(f.plain.Bytes()):
		return nil, ReasonCompressed, fmt.Sprintf("the body is compressed twice (%s without, once more within)", name)
	}
	return f.plain.Bytes(), "", ""
}

func (f *inflater) reader(name string, body []byte) (r io.Reader, err error) {
	f.in.Reset(body)
	if name == gzipBody {
		if f.gzip == nil {
			f.gzip = new(gzip.Reader)
		}
		return f.gzip, f.gzip.Reset(&f.in)
	}
	if f.zstd == nil {
		f.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(MaxInflated), zstd.WithDecoderMaxWindow(MaxInflated))
		if err != nil {
			return nil, err
		}
	}
	return f.zstd, f.zstd.Reset(&f.in)
}
