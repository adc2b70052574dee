package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
)

// file of an archive.
type file struct {
	name    string
	mode    int64
	content []byte
}

// archive is a compressed tar of files in the order given. No time and no owner is in it: the same files give the same bytes.
func archive(files []file) ([]byte, error) {
	plain, err := tarOf(files)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	compressor, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := compressor.Write(plain); err != nil {
		return nil, err
	}
	if err := compressor.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func tarOf(files []file) ([]byte, error) {
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	for _, f := range files {
		header := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content)), Typeflag: tar.TypeReg, Format: tar.FormatPAX}
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := writer.Write(f.content); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
