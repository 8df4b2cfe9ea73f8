package image

// MaxMessage bounds what an order and the news about it have.
const MaxMessage = 1 << 20

// An Order is what ambit has ambit-image make.
type Order struct {
	Store  string   `json:"store"`            // the folder of images
	Guest  string   `json:"guest"`            // the guest's first program
	Kernel string   `json:"kernel,omitempty"` // a .deb, a kernel or the folder of an unpacked package; "": fetched with apt-get
	Parts  []string `json:"parts,omitempty"`  // beside the one that every image has
}

// News are what it says meanwhile: what goes on, and at the end either the image
// or why there is none.
type News struct {
	What  string `json:"what,omitempty"`
	Done  int    `json:"done,omitempty"` // in a hundred
	Image *Image `json:"image,omitempty"`
	Error string `json:"error,omitempty"`
}
