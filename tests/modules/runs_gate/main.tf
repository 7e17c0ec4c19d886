# A run waits for as long as nobody writes to the pipe `gate`; clean-up leaves a line in `log`.
# What waits goes on after the interrupt that Terraform's group gets, as Ctrl-C in a terminal, and
# leaves a word of it.

variable "gate" {
  type = string
}

variable "log" {
  type = string
}

variable "waits" {
  type    = bool
  default = false
}

resource "terraform_data" "kept" {
  input = var.log

  provisioner "local-exec" {
    when    = destroy
    command = "echo destroyed >> '${self.input}'"
  }
}

resource "terraform_data" "gate" {
  triggers_replace = var.waits

  provisioner "local-exec" {
    command = var.waits ? "trap ': > \"${var.gate}.interrupted\"' INT; echo $PPID > '${var.gate}.pid'; until read line < '${var.gate}'; do :; done" : "true"
  }
}
