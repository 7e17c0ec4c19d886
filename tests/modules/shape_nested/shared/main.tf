module "own" {
  source = "../stack/own"
}

resource "terraform_data" "shared" {
  input = file("${path.module}/text.txt")
}

output "text" {
  value = terraform_data.shared.output
}
