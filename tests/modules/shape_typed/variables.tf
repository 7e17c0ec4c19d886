variable "text" {
  type = string
}

variable "number" {
  type = number
}

variable "flag" {
  type = bool
}

variable "list" {
  type = list(string)
}

variable "set" {
  type = set(number)
}

variable "map" {
  type = map(string)
}

variable "tuple" {
  type = tuple([string, number, bool])
}

variable "object" {
  type = object({
    name = string
    tags = optional(map(string), {})
  })
}

variable "anything" {
  type = any
}

variable "nothing" {
  type    = list(string)
  default = ["a default"]
}

variable "password" {
  type      = string
  sensitive = true
}
