run "prüft_die_größe" {
  assert {
    condition     = output.größe == "groß 🚀"
    error_message = "Falsche Größe."
  }
}

run "名前-と-値" {
  command = plan

  assert {
    condition     = var.größe == "klein"
    error_message = "値が違います: ${var.größe}"
  }
}
