package bridge

import "fmt"

// documentMost is how large a document may become, in bytes: brokers limit packets, some to 128 KiB (AWS IoT Core).
const documentMost = 64 << 10

// part is one document: a book, or a part of a large one.
type part struct {
	topic      string
	book       *book
	components []component
	size       int // bytes, about
}

// has tells whether the part has the same component, as Home Assistant sees it.
func (p *part) has(c *component) bool {
	i := p.index(c.key)
	return i >= 0 && p.components[i].entity() == c.entity()
}

func (p *part) index(key string) int {
	for i := range p.components {
		if p.components[i].key == key {
			return i
		}
	}
	return -1
}

// split divides books into documents that brokers take. A component stays in the document in which it was found: to Home Assistant
// it would be another one elsewhere.
func split(books []*book, t *Topics, known map[string]found) (parts []part) {
	for _, b := range books {
		home := map[string]int{} // by key: the part where it was
		of := []part{{topic: t.Discovery(b.name), book: b}}
		for n := 1; n <= len(known)+1; n++ {
			for _, c := range known[t.Discovery(b.part(n))].components {
				home[c.key] = n - 1
			}
		}
		head := len(b.document(nil))
		for _, c := range b.Components {
			size := len(c.json()) + len(c.key) + 4
			fits := func(n int) bool { return n >= len(of) || head+of[n].size+size <= documentMost }
			n, was := home[c.key]
			if !was || !fits(n) {
				for n = 0; !fits(n); n++ {
				}
			}
			for len(of) <= n {
				of = append(of, part{topic: t.Discovery(b.part(len(of) + 1)), book: b})
			}
			of[n].components = append(of[n].components, c)
			of[n].size += size
		}
		for i, p := range of {
			if i == 0 || len(p.components) > 0 {
				parts = append(parts, p)
			}
		}
	}
	return parts
}

// part names the book's n-th document. The names of areas have no hyphen, so that none is taken for a part.
func (b *book) part(n int) string {
	if n == 1 {
		return b.name
	}
	return fmt.Sprintf("%s-%d", b.name, n)
}
