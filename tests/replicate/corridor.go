package main

// corridors are the rows of our own policies in the production corridor on the same traces.
func (s *setup) corridors() ([]row, error) { return nil, nil }
