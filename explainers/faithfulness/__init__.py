"""`measure_faithfulness`: explanations of tables, texts and images, measured by removing what they rank first."""
