package ledger

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// lines is a file that grows by whole lines.
type lines struct {
	file *os.File
	size int64
}

// span is where a line lies, its end not counted.
type span struct {
	offset int64
	length int
}

// openLines opens a file of lines and hands every whole line up to limit to visit; a negative limit is none. What comes
// after (a line that a killed process did not end, or did not come to commit) is cut off, or overlooked by a reader.
func openLines(path string, writable bool, limit int64, visit func(span, []byte) error) (*lines, error) {
	flags := os.O_RDONLY
	if writable {
		flags = os.O_RDWR | os.O_CREATE
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return nil, err
	}
	l := &lines{file: f}
	if err = l.scan(limit, visit); err == nil && writable {
		err = f.Truncate(l.size)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return l, nil
}

// scan reads the lines from the start.
func (l *lines) scan(limit int64, visit func(span, []byte) error) error {
	r := bufio.NewReaderSize(l.file, 1<<16)
	for number := 1; ; number++ {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if limit >= 0 && l.size+int64(len(line)) > limit {
			return nil
		}
		if err := visit(span{l.size, len(line) - 1}, line[:len(line)-1]); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		l.size += int64(len(line))
	}
}

// append adds text, which ends every of its lines, in one write. A write that does not succeed is taken back.
func (l *lines) append(text []byte) error {
	n, err := l.file.WriteAt(text, l.size)
	if err != nil {
		return errors.Join(err, l.cut(l.size))
	}
	l.size += int64(n)
	return nil
}

// cut takes back what was appended after the size.
func (l *lines) cut(size int64) error {
	l.size = size
	return l.file.Truncate(size)
}

// read reads one line.
func (l *lines) read(at span) ([]byte, error) {
	line := make([]byte, at.length)
	if _, err := l.file.ReadAt(line, at.offset); err != nil {
		return nil, err
	}
	return line, nil
}

// close closes the file, after what it holds has reached the disk if that matters.
func (l *lines) close(sync bool) error {
	var err error
	if sync {
		err = l.file.Sync()
	}
	return errors.Join(err, l.file.Close())
}

// rewrite replaces a file of lines by another, whole or not at all.
func rewrite(path string, fill func(io.Writer) error) (*lines, error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	err = fill(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	var size int64
	if err == nil {
		size, err = f.Seek(0, io.SeekEnd)
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
		return nil, fmt.Errorf("rewrite %s: %w", path, err)
	}
	return &lines{f, size}, nil
}
