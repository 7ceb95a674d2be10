//! Functions on lists, sets, maps and objects.

use crate::template::evaluate::tests::check;

pub(super) const TABLE: &str = r#"
alltrue([])  => true
alltrue([true, "false"])  => false
alltrue(["x"])  => error: `list` of `alltrue` does not fit: at `[0]`: "x" is neither `true` nor `false`
anytrue([null, true])  => true
chunklist([1, 2, 3], 2)  => [[1, 2], [3]]
chunklist([1, 2, 3], 0)  => [[1, 2, 3]]
chunklist([], 2)  => []
coalesce("", null, "a")  => "a"
coalesce(1, "a")  => "1"
coalesce("", "")  => error: `coalesce`: no argument is neither null nor an empty string
coalesce(null, 0)  => 0
coalescelist([], [1])  => [1]
coalescelist()  => error: `coalescelist`: all arguments are empty
compact(["a", "", null])  => ["a"]
concat([1], ["a"])  => [1, "a"]
concat(["a"], tolist(["b"]))  => ["a", "b"]
concat(tolist(["a"]), tolist([1]))  => ["a", "1"]
concat([], [])  => []
concat("a")  => error: `concat`: a list is required, but this is a string
contains(["1"], 1)  => false
contains(toset(["a"]), "a")  => true
contains("abc", "b")  => error: `contains`: a list is required, but this is a string
distinct([1, "1", 1])  => ["1"]
distinct(["b", "a", "b"])  => ["b", "a"]
element(["a", "b"], 5)  => "b"
element(["a", "b"], -1)  => "b"
element([], 0)  => error: `element`: an empty list has no elements
flatten([[1, [2]], 3])  => [1, 2, 3]
flatten("a")  => error: `flatten`: a list is required, but this is a string
flatten([var.later])  => (unknown)
index(["a", "b"], "b")  => 1
index(["a"], "b")  => error: `index`: "b" is not in the list
keys({ b = 1, a = 2 })  => ["a", "b"]
keys([])  => error: `keys`: a map is required, but this is a tuple
length("héllo")  => 5
length([1, 2])  => 2
length({ a = 1 })  => 1
length([var.later, 1])  => 2
length(var.later)  => (unknown)
length(1)  => error: `length`: a list, a map or a string is required, but this is a number
lookup({ a = 1 }, "a", 2)  => 1
lookup({ a = 1 }, "b", 2)  => 2
lookup({ a = null }, "a", 1)  => null
lookup({ a = 1 }, "b")  => error: `lookup`: the map has no key "b"
lookup(tomap({ a = 1 }), "b", "x")  => error: `lookup`: the default does not fit the map: "x" is not a number
matchkeys(["a", "b"], ["1", "2"], ["2"])  => ["b"]
merge({ a = 1 }, { b = "x" }, null)  => { a = 1, b = "x" }
merge({ a = { b = 1 } }, { a = { c = 2 } })  => { a = { c = 2 } }
merge()  => {}
merge([])  => error: `merge`: a map is required, but this is a tuple
one([1])  => 1
one([])  => null
one([1, 2])  => error: `one`: a list of at most one element is required, but this has 2
range(3)  => [0, 1, 2]
range(1, 4)  => [1, 2, 3]
range(4, 1)  => [4, 3, 2]
range(0, 1, 0.5)  => [0, 0.5]
range(5, 5)  => []
range(1, 5, -1)  => error: `range`: the step leads away from the limit
range(0, 1e9)  => error: `range`: the result would have more than 1000000 elements
range()  => error: `range`: one, two or three numbers are required, not 0
reverse([1, 2])  => [2, 1]
reverse("a")  => error: `reverse`: a list is required, but this is a string
setintersection(["a", "b"], ["b"])  => ["b"]
setintersection(["a"], [])  => []
setproduct(["a", "b"], [1, 2])  => [["a", 1], ["a", 2], ["b", 1], ["b", 2]]
setproduct([], ["a"])  => []
setproduct(range(1000), range(1001))  => error: `setproduct`: the result would have more than 1000000 elements
setsubtract(["a", "b"], ["b"])  => ["a"]
setunion(["a"], ["b"], [1])  => ["1", "a", "b"]
setunion([], ["a"])  => ["a"]
slice([1, 2, 3], 1, 2)  => [2]
slice([1], 1, 1)  => []
slice([1, 2, 3], 1, 9)  => error: `slice`: the end 9 lies beyond the 3 elements of the list
slice([1, 2], 2, 1)  => error: `slice`: the start 2 lies after the end 1
sort(["b", "a", 1])  => ["1", "a", "b"]
sort([null])  => error: `sort`: an element of the list is null
transpose({ a = ["1", "2"], b = ["1"] })  => { "1" = ["a", "b"], "2" = ["a"] }
values({ b = 1, a = 2 })  => [2, 1]
zipmap(["a", "b"], [1, "x"])  => { a = 1, b = "x" }
zipmap(["a"], [1, 2])  => error: `zipmap`: there are 1 key, but 2 values
merge({ a = var.secret }, { b = 1 }).b  => 1
element([var.secret, "x"], 1)  => "x"
keys({ a = var.secret })  => ["a"]
length(var.secret)  => 7 !sensitive
contains([var.secret], "x")  => false !sensitive
flatten([[var.secret], ["x"]])[0]  => "hunter2" !sensitive
alltrue([true, null])  => false
alltrue([var.later_bool])  => (unknown)
alltrue(null)  => error: `list` of `alltrue` must not be null
anytrue([])  => false
anytrue([false, "true"])  => true
anytrue([1])  => error: `list` of `anytrue` does not fit: at `[0]`: a bool is required, but this is a number
chunklist(["a"], -1)  => error: `chunklist`: a number of at least zero is required, but this is -1
chunklist("a", 1)  => error: `list` of `chunklist` does not fit: a list is required, but this is a string
coalesce()  => error: `coalesce`: no argument is neither null nor an empty string
coalesce(1, [])  => error: `coalesce`: all arguments have to be of one type
coalesce("a", var.later)  => (unknown)
coalescelist(["a"], ["b"])  => ["a"]
coalescelist(1)  => error: `coalescelist`: a list is required, but this is a number
compact([])  => []
compact([1, ""])  => ["1"]
compact([[]])  => error: `list` of `compact` does not fit: at `[0]`: a string is required, but this is a tuple
concat()  => error: `concat`: at least one list is required
concat(toset(["b", "a"]), ["c"])  => ["a", "b", "c"]
concat([var.later], ["a"])[1]  => "a"
contains([], 1)  => false
contains([null], null)  => true
distinct([])  => []
distinct(["a", "B", "b", "A", "a"])  => ["a", "B", "b", "A"]
distinct(1)  => error: `list` of `distinct` does not fit: a list is required, but this is a number
length(distinct(range(50000)))  => 50000
element(toset(["b", "a"]), 0)  => "a"
element(["a"], 0.5)  => error: `element`: a whole number is required, but this is 0.5
element("a", 0)  => error: `element`: a list is required, but this is a string
flatten([])  => []
flatten([[], [[]]])  => []
flatten([{ a = [1] }])  => [{ a = [1] }]
index([1], "1")  => error: `index`: "1" is not in the list
index([], 1)  => error: `index`: an empty list has no elements
index({}, 1)  => error: `index`: a list is required, but this is an object
index(["a", "b"], var.secret)  => error: `index`: (sensitive value) is not in the list
keys(tomap({ b = 1, a = 2 }))  => ["a", "b"]
keys(null)  => error: `map` of `keys` must not be null
length("e\u0301")  => 1
length(null)  => error: `value` of `length` must not be null
lookup(tomap({ a = "x" }), "b", 1)  => "1"
lookup({}, "b", null)  => null
lookup({}, "b", 1, 2)  => error: `lookup`: only one default can be given
lookup([], "b", 1)  => error: `lookup`: a map is required, but this is a tuple
lookup({ a = 1 }, "a", var.later)  => 1
matchkeys(["a", "b", "c"], ["1", "2", "1"], ["1"])  => ["a", "c"]
matchkeys(["a"], ["1", "2"], ["2"])  => error: `matchkeys`: there are 1 value, but 2 keys
merge(tomap({ a = "x" }), tomap({ b = "y" }))  => { a = "x", b = "y" }
merge({ a = 1 }, { a = null })  => { a = null }
merge(null)  => {}
one(toset(["a"]))  => "a"
one(null)  => error: `list` of `one` must not be null
one("a")  => error: `one`: a list is required, but this is a string
range(0)  => []
range(-2)  => [0, -1]
range(0, -3, -2)  => [0, -2]
range(1, 2, 0)  => error: `range`: the step must not be zero
range(1, 2, 3, 4)  => error: `range`: one, two or three numbers are required, not 4
range(0, 1, 1e-300)  => error: `range`: the result would have more than 1000000 elements
range("x")  => error: `bounds` of `range` does not fit: "x" is not a number
reverse([])  => []
reverse(tolist(["a", "b"]))  => ["b", "a"]
setintersection(["a"])  => ["a"]
setintersection([1, "b"], ["1"], ["1", "b"])  => ["1"]
setintersection("a")  => error: `setintersection`: a list is required, but this is a string
setproduct(["a"])  => error: `setproduct`: at least two sets are required
setproduct([], range(1000))  => []
setproduct(toset(["b", "a"]), toset(["x"]))  => [["a", "x"], ["b", "x"]]
setproduct(range(1000), range(501))  => error: `setproduct`: the result would have more than 1000000 elements
setproduct(1, [])  => error: `setproduct`: a list is required, but this is a number
setsubtract([1, 2], ["2"])  => ["1"]
setsubtract([], [1])  => []
setsubtract([[]], [1])  => error: `setsubtract`: all sets have to be of one type
setsymmetricdifference(["a", "b"], ["b", "c"])  => ["a", "c"]
setsymmetricdifference(["a"], ["a"], ["a"])  => ["a"]
setsymmetricdifference("a")  => error: `setsymmetricdifference`: a list is required, but this is a string
setunion([[]], [1])  => error: `setunion`: all sets have to be of one type
setunion([for n in range(1001) : [n]]...)  => error: `setunion`: there are more than 1000 sets
length(setintersection(range(20000), range(10000, 30000)))  => 10000
slice(["a", "b", "c"], 0, 3)  => ["a", "b", "c"]
slice(toset(["a"]), 0, 1)  => error: `slice`: elements of a set have no order
slice([1], -1, 1)  => error: `slice`: a number of at least zero is required, but this is -1
slice("abc", 0, 1)  => error: `slice`: a list is required, but this is a string
sort([])  => []
sort(["b", "B", "a10", "a2"])  => ["B", "a10", "a2", "b"]
sort("a")  => error: `list` of `sort` does not fit: a list of strings is required, but this is a string
transpose({})  => {}
transpose({ a = [null] })  => error: `transpose`: an element of a list is null
transpose({ a = 1 })  => error: `transpose`: at `.a`: a list of strings is required, but this is a number
values(tomap({ b = "x", a = "y" }))  => ["y", "x"]
values([])  => error: `values`: a map is required, but this is a tuple
zipmap([], [])  => {}
zipmap(["a", "a"], [1, 2])  => { a = 2 }
zipmap(["a"], tolist([1]))  => { a = 1 }
zipmap([null], [1])  => error: `zipmap`: a key is null
zipmap(["a"], { b = 1 })  => error: `zipmap`: a list is required, but this is an object
"#;

#[test]
fn as_documented() {
    check(TABLE);
}
