package replay

import "time"

// HPAWish and Flaps are tested by their tables.
var HPAWish = hpaWish

// Flaps counts the flaps of changes given as minute and difference.
func Flaps(changes ...[2]int) int {
	var moves []move
	for _, c := range changes {
		moves = append(moves, move{at: time.Duration(c[0]) * time.Minute, by: c[1]})
	}
	return flaps(moves)
}

// Cases lets tests compare runs of their own.
var Cases = cases
