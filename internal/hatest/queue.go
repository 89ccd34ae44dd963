package hatest

import "sync"

// queue runs functions one after the other, in a goroutine of its own, so that nothing ever waits within the MQTT client's.
type queue struct {
	wg   sync.WaitGroup
	mu   sync.Mutex // guards the following
	more *sync.Cond
	todo []func()
	over bool
}

func newQueue() *queue {
	q := new(queue)
	q.more = sync.NewCond(&q.mu)
	q.wg.Go(q.run)
	return q
}

func (q *queue) run() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		for len(q.todo) == 0 && !q.over {
			q.more.Wait()
		}
		if q.over {
			return
		}
		f := q.todo[0]
		q.todo = q.todo[1:]
		q.mu.Unlock()
		f()
		q.mu.Lock()
	}
}

// add never blocks. After the end, functions are dropped.
func (q *queue) add(f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.todo = append(q.todo, f)
	q.more.Signal()
}

// end waits for the function that runs.
func (q *queue) end() {
	q.mu.Lock()
	q.over = true
	q.more.Signal()
	q.mu.Unlock()
	q.wg.Wait()
}
