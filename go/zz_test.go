package cordon
import ("testing";"context";"time";"fmt")
func TestZZ(t *testing.T) {
	_, cell := openCell(t, "libc", libcInterface)
	abs, _ := Bind1[int32,int32](cell, "abs")
	for r:=0;r<30;r++ {
	began := time.Now()
	n := 10000
	for i:=0;i<n;i++ { abs.Call(context.Background(), -5) }
	d := time.Since(began)/time.Duration(n)
	for _, w := range cell.pool.all { if w.lane != nil { c := w.lane.Counts(); s, wc, lc, p, hc := w.lane.Debug(); fmt.Println(d, c, s, wc, lc, p, hc) } }
	}
}
