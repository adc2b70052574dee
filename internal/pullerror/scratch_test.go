package pullerror
import ("testing";"fmt";"strings";"os")
func TestScratch(t *testing.T){
 d,_:=os.ReadFile("/tmp/cand.txt")
 for _,l:=range strings.Split(strings.TrimSpace(string(d)),"\n") {
  w,m,_:=strings.Cut(l,"|")
  g:=Classify(m)
  mark:="  "
  if string(g)!=w {mark="!!"}
  if mark=="!!" {fmt.Printf("%s want %-20s got %-20s %s\n      %s\n",mark,w,g,m,withoutNames(unwrap(m)))}
 }
}
