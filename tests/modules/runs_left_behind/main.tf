resource "terraform_data" "this" {
  input = "kept"

  provisioner "local-exec" {
    when    = destroy
    command = "exit 3"
  }
}
