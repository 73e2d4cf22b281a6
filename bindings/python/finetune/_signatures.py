"""Made by make_signatures.py from the public headers: change those, not this file."""
from ctypes import (CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_float, c_int, c_int32, c_int64,
                    c_size_t, c_void_p)



class fine_context_options(Structure):
    pass


class fine_encode_options(Structure):
    pass


class fine_dataset_options(Structure):
    pass


class fine_adapter_options(Structure):
    pass


class fine_model_options(Structure):
    pass


class fine_memory_file(Structure):
    pass


class fine_task_options(Structure):
    pass


class fine_param_info(Structure):
    pass


class fine_span_info(Structure):
    pass


class fine_fill_info(Structure):
    pass


class fine_generate_options(Structure):
    pass


class fine_embed_options(Structure):
    pass


class fine_adamw_options(Structure):
    pass


class fine_sgd_options(Structure):
    pass


class fine_optimizer_options(Structure):
    pass


class fine_schedule_options(Structure):
    pass


class fine_progress(Structure):
    pass


class fine_augmentation(Structure):
    pass


class fine_trainer_options(Structure):
    pass


class fine_recipe_key_info(Structure):
    pass


class fine_run_options(Structure):
    pass


fine_log_fn = CFUNCTYPE(None, c_int, c_char_p, c_void_p)
fine_token_callback = CFUNCTYPE(c_int, c_int64, c_int32, c_char_p, c_void_p)
fine_progress_fn = CFUNCTYPE(c_int, POINTER(fine_progress), c_void_p)
fine_context_options._fields_ = [
    ("struct_size", c_size_t),
    ("allocate", c_void_p),
    ("reallocate", c_void_p),
    ("release", c_void_p),
    ("allocator_user", c_void_p),
    ("log", fine_log_fn),
    ("log_user", c_void_p),
    ("memory_limit", c_int64),
    ("log_level", c_int32),
    ("n_threads", c_int32),
]
fine_encode_options._fields_ = [
    ("struct_size", c_size_t),
    ("max_length", c_int64),
    ("offsets", c_int32),
    ("add_special", c_int32),
]
fine_dataset_options._fields_ = [
    ("struct_size", c_size_t),
    ("text", c_char_p),
    ("text_pair", c_char_p),
    ("label", c_char_p),
    ("group", c_char_p),
    ("split_by", c_char_p),
    ("separator", c_char_p),
    ("quote", c_char_p),
    ("encoding", c_char_p),
    ("on_bad_row", c_char_p),
    ("format", c_char_p),
    ("columns", POINTER(c_char_p)),
    ("n_columns", c_int64),
    ("labels", POINTER(c_char_p)),
    ("n_labels", c_int64),
    ("task", c_char_p),
    ("label_separator", c_char_p),
    ("label_columns", POINTER(c_char_p)),
    ("n_label_columns", c_int64),
    ("header", c_int32),
    ("label_is_number", c_int32),
    ("require_label", c_int32),
    ("documents", c_char_p),
    ("scheme", c_char_p),
    ("offsets", c_char_p),
]
fine_adapter_options._fields_ = [
    ("struct_size", c_size_t),
    ("rank", c_int64),
    ("alpha", c_double),
    ("dropout", c_double),
    ("targets", POINTER(c_char_p)),
    ("n_targets", c_int64),
    ("rank_stabilised", c_int32),
    ("reserved", c_int32),
]
fine_model_options._fields_ = [
    ("struct_size", c_size_t),
    ("seed", c_int64),
    ("random_weights", c_int32),
    ("reserved", c_int32),
    ("dropout", c_double),
    ("architecture", c_char_p),
    ("adapter", POINTER(fine_adapter_options)),
]
fine_memory_file._fields_ = [
    ("name", c_char_p),
    ("bytes", c_void_p),
    ("n_bytes", c_int64),
]
fine_task_options._fields_ = [
    ("struct_size", c_size_t),
    ("type", c_char_p),
    ("pool", c_char_p),
    ("labels", POINTER(c_char_p)),
    ("n_labels", c_int64),
    ("max_length", c_int64),
    ("seed", c_int64),
    ("overlong", c_char_p),
    ("mask_rate", c_double),
    ("whole_words", c_int32),
    ("no_answer", c_int32),
    ("words", c_char_p),
    ("label_pieces", c_char_p),
    ("stride", c_int64),
    ("max_answer_length", c_int64),
    ("null_threshold", c_double),
]
fine_param_info._fields_ = [
    ("struct_size", c_size_t),
    ("name", c_char_p),
    ("shape", POINTER(c_int64)),
    ("n_dims", c_int64),
    ("count", c_int64),
    ("stage", c_int32),
    ("frozen", c_int32),
]
fine_span_info._fields_ = [
    ("struct_size", c_size_t),
    ("start", c_int64),
    ("end", c_int64),
    ("label", c_int64),
    ("score", c_double),
    ("name", c_char_p),
]
fine_fill_info._fields_ = [
    ("struct_size", c_size_t),
    ("token", c_char_p),
    ("id", c_int64),
    ("score", c_double),
]
fine_generate_options._fields_ = [
    ("struct_size", c_size_t),
    ("max_tokens", c_int64),
    ("temperature", c_double),
    ("top_k", c_int64),
    ("top_p", c_double),
    ("seed", c_int64),
    ("first", c_int64),
    ("ignore_end", c_int32),
    ("reserved", c_int32),
    ("on_token", fine_token_callback),
    ("on_token_user", c_void_p),
]
fine_embed_options._fields_ = [
    ("struct_size", c_size_t),
    ("pool", c_char_p),
    ("max_length", c_int64),
    ("normalize", c_int32),
    ("reserved", c_int32),
]
fine_adamw_options._fields_ = [
    ("struct_size", c_size_t),
    ("learning_rate", c_double),
    ("beta1", c_double),
    ("beta2", c_double),
    ("epsilon", c_double),
    ("weight_decay", c_double),
    ("decay", c_int32),
    ("reserved", c_int32),
    ("head_learning_rate", c_double),
]
fine_sgd_options._fields_ = [
    ("struct_size", c_size_t),
    ("learning_rate", c_double),
    ("momentum", c_double),
    ("dampening", c_double),
    ("weight_decay", c_double),
    ("nesterov", c_int32),
    ("decay", c_int32),
    ("head_learning_rate", c_double),
]
fine_optimizer_options._fields_ = [
    ("struct_size", c_size_t),
    ("learning_rate", c_double),
    ("beta1", c_double),
    ("beta2", c_double),
    ("epsilon", c_double),
    ("momentum", c_double),
    ("dampening", c_double),
    ("alpha", c_double),
    ("weight_decay", c_double),
    ("head_learning_rate", c_double),
    ("layer_decay", c_double),
    ("decay", c_int32),
    ("nesterov", c_int32),
    ("centered", c_int32),
    ("relative_step", c_int32),
    ("scale_parameter", c_int32),
    ("warmup_init", c_int32),
]
fine_schedule_options._fields_ = [
    ("struct_size", c_size_t),
    ("warmup", c_double),
    ("cycles", c_double),
    ("power", c_double),
    ("end", c_double),
    ("decay", c_double),
    ("restarts", c_int64),
]
fine_progress._fields_ = [
    ("struct_size", c_size_t),
    ("step", c_int64),
    ("n_steps", c_int64),
    ("epoch", c_int64),
    ("rows", c_int64),
    ("loss", c_double),
    ("gradient_norm", c_double),
    ("learning_rate", c_double),
    ("seconds", c_double),
    ("rows_per_second", c_double),
    ("seconds_left", c_double),
    ("metric", c_double),
    ("metric_name", c_char_p),
    ("json", c_char_p),
    ("best_step", c_int64),
    ("event", c_int32),
    ("reserved", c_int32),
]
fine_augmentation._fields_ = [
    ("struct_size", c_size_t),
    ("crop", c_double),
    ("pad", c_int64),
    ("flip", c_double),
    ("brightness", c_double),
    ("contrast", c_double),
    ("saturation", c_double),
    ("hue", c_double),
    ("erase", c_double),
    ("mixup", c_double),
    ("cutmix", c_double),
    ("mask_tokens", c_double),
    ("drop_words", c_double),
]
fine_trainer_options._fields_ = [
    ("struct_size", c_size_t),
    ("epochs", c_double),
    ("steps", c_int64),
    ("batch_size", c_int64),
    ("accumulate", c_int64),
    ("clip_norm", c_double),
    ("seed", c_int64),
    ("validation", c_void_p),
    ("evaluate_every_epochs", c_double),
    ("evaluate_every_steps", c_int64),
    ("checkpoint_every_steps", c_int64),
    ("folder", c_char_p),
    ("metric", c_char_p),
    ("patience", c_int64),
    ("progress", fine_progress_fn),
    ("progress_user", c_void_p),
    ("resume", c_int32),
    ("reserved", c_int32),
    ("augmentation", POINTER(fine_augmentation)),
    ("class_weighting", c_char_p),
    ("class_weights", POINTER(c_double)),
    ("n_class_weights", c_int64),
    ("label_smoothing", c_double),
    ("focal_gamma", c_double),
]
fine_recipe_key_info._fields_ = [
    ("struct_size", c_size_t),
    ("name", c_char_p),
    ("type", c_char_p),
    ("fallback", c_char_p),
    ("description", c_char_p),
]
fine_run_options._fields_ = [
    ("struct_size", c_size_t),
    ("folder", c_char_p),
    ("progress", fine_progress_fn),
    ("progress_user", c_void_p),
    ("resume", c_int32),
    ("reserved", c_int32),
]

FUNCTIONS = {
    "fine_adamw_options_init": (None, [POINTER(fine_adamw_options), c_size_t]),
    "fine_adapter_options_init": (None, [POINTER(fine_adapter_options), c_size_t]),
    "fine_augmentation_init": (None, [POINTER(fine_augmentation), c_size_t]),
    "fine_context_allocations": (c_int64, [c_void_p]),
    "fine_context_free": (None, [c_void_p]),
    "fine_context_n_threads": (c_int32, [c_void_p]),
    "fine_context_new": (c_int, [POINTER(c_void_p), POINTER(fine_context_options)]),
    "fine_context_options_init": (None, [POINTER(fine_context_options), c_size_t]),
    "fine_context_peak_bytes": (c_int64, [c_void_p]),
    "fine_context_used_bytes": (c_int64, [c_void_p]),
    "fine_dataset_add": (c_int, [c_void_p, c_char_p, c_char_p, c_char_p, c_char_p]),
    "fine_dataset_count": (c_int64, [c_void_p]),
    "fine_dataset_describe": (c_char_p, [c_void_p]),
    "fine_dataset_free": (None, [c_void_p]),
    "fine_dataset_group": (c_char_p, [c_void_p, c_int64]),
    "fine_dataset_label": (c_int64, [c_void_p, c_int64]),
    "fine_dataset_label_name": (c_char_p, [c_void_p, c_int64]),
    "fine_dataset_n_labels": (c_int64, [c_void_p]),
    "fine_dataset_new": (c_int, [POINTER(c_void_p), c_void_p, POINTER(fine_dataset_options)]),
    "fine_dataset_new_encoded": (c_int, [POINTER(c_void_p), c_void_p, c_void_p]),
    "fine_dataset_open": (c_int, [POINTER(c_void_p), c_void_p, c_char_p, POINTER(fine_dataset_options)]),
    "fine_dataset_options_init": (None, [POINTER(fine_dataset_options), c_size_t]),
    "fine_dataset_skipped": (c_int64, [c_void_p]),
    "fine_dataset_split": (c_int, [POINTER(c_void_p), POINTER(c_void_p), c_void_p, c_double, c_int64]),
    "fine_dataset_text": (c_char_p, [c_void_p, c_int64]),
    "fine_dataset_text_pair": (c_char_p, [c_void_p, c_int64]),
    "fine_dataset_value": (c_double, [c_void_p, c_int64]),
    "fine_embed_options_init": (None, [POINTER(fine_embed_options), c_size_t]),
    "fine_encode_options_init": (None, [POINTER(fine_encode_options), c_size_t]),
    "fine_encoding_count": (c_int64, [c_void_p]),
    "fine_encoding_free": (None, [c_void_p]),
    "fine_encoding_ids": (POINTER(c_int32), [c_void_p]),
    "fine_encoding_offsets": (POINTER(c_int64), [c_void_p]),
    "fine_encoding_text_ids": (POINTER(c_int32), [c_void_p]),
    "fine_encoding_truncated": (c_int64, [c_void_p]),
    "fine_encoding_type_ids": (POINTER(c_int32), [c_void_p]),
    "fine_error_message": (c_char_p, []),
    "fine_error_next": (c_char_p, []),
    "fine_generate_options_init": (None, [POINTER(fine_generate_options), c_size_t]),
    "fine_model_backward": (c_int, [c_void_p, c_void_p, c_double, POINTER(c_double)]),
    "fine_model_clip_gradients": (c_int, [c_void_p, c_double, POINTER(c_double)]),
    "fine_model_dataset_options": (c_int, [c_void_p, POINTER(fine_dataset_options)]),
    "fine_model_family": (c_char_p, [c_void_p]),
    "fine_model_fingerprint": (c_char_p, [c_void_p]),
    "fine_model_forward": (c_int, [c_void_p, c_void_p, c_int32, POINTER(c_void_p)]),
    "fine_model_free": (None, [c_void_p]),
    "fine_model_freeze": (c_int, [c_void_p, c_char_p]),
    "fine_model_gradient": (c_int, [c_void_p, c_char_p, POINTER(POINTER(c_float)), POINTER(c_int64)]),
    "fine_model_has_adapter": (c_int, [c_void_p]),
    "fine_model_label": (c_char_p, [c_void_p, c_int64]),
    "fine_model_max_length": (c_int64, [c_void_p]),
    "fine_model_merge_adapter": (c_int, [c_void_p]),
    "fine_model_n_labels": (c_int64, [c_void_p]),
    "fine_model_n_params": (c_int64, [c_void_p]),
    "fine_model_n_stages": (c_int64, [c_void_p]),
    "fine_model_open": (c_int, [POINTER(c_void_p), c_void_p, c_char_p, POINTER(fine_model_options)]),
    "fine_model_open_memory": (c_int, [POINTER(c_void_p), c_void_p, POINTER(fine_memory_file), c_int64, POINTER(fine_model_options)]),
    "fine_model_options_init": (None, [POINTER(fine_model_options), c_size_t]),
    "fine_model_param": (c_int, [c_void_p, c_int64, POINTER(fine_param_info)]),
    "fine_model_pool": (c_char_p, [c_void_p]),
    "fine_model_save": (c_int, [c_void_p, c_char_p]),
    "fine_model_save_sharded": (c_int, [c_void_p, c_char_p, c_int64]),
    "fine_model_set_batch_statistics": (c_int, [c_void_p, c_int32]),
    "fine_model_set_task": (c_int, [c_void_p, POINTER(fine_task_options)]),
    "fine_model_set_values": (c_int, [c_void_p, c_char_p, POINTER(c_float), c_int64]),
    "fine_model_stage_name": (c_char_p, [c_void_p, c_int64]),
    "fine_model_task": (c_char_p, [c_void_p]),
    "fine_model_values": (c_int, [c_void_p, c_char_p, POINTER(POINTER(c_float)), POINTER(c_int64)]),
    "fine_model_vocab_size": (c_int64, [c_void_p]),
    "fine_model_zero_gradients": (c_int, [c_void_p]),
    "fine_optimizer_free": (None, [c_void_p]),
    "fine_optimizer_learning_rate": (c_double, [c_void_p]),
    "fine_optimizer_new": (c_int, [POINTER(c_void_p), c_void_p, c_char_p, POINTER(fine_optimizer_options)]),
    "fine_optimizer_new_adamw": (c_int, [POINTER(c_void_p), c_void_p, POINTER(fine_adamw_options)]),
    "fine_optimizer_new_sgd": (c_int, [POINTER(c_void_p), c_void_p, POINTER(fine_sgd_options)]),
    "fine_optimizer_options_init": (None, [POINTER(fine_optimizer_options), c_size_t, c_char_p]),
    "fine_optimizer_step": (c_int, [c_void_p, c_void_p, c_double]),
    "fine_recipe_check": (c_int, [c_void_p]),
    "fine_recipe_free": (None, [c_void_p]),
    "fine_recipe_get": (c_char_p, [c_void_p, c_char_p]),
    "fine_recipe_key": (c_int, [c_int64, POINTER(fine_recipe_key_info)]),
    "fine_recipe_open": (c_int, [POINTER(c_void_p), c_void_p, c_char_p]),
    "fine_recipe_parse": (c_int, [POINTER(c_void_p), c_void_p, c_char_p, c_int64, c_char_p]),
    "fine_recipe_resolved": (c_char_p, [c_void_p]),
    "fine_recipe_run": (c_int, [c_void_p, POINTER(fine_run_options), POINTER(c_void_p)]),
    "fine_recipe_set": (c_int, [c_void_p, c_char_p, c_char_p]),
    "fine_report_free": (None, [c_void_p]),
    "fine_report_json": (c_char_p, [c_void_p]),
    "fine_report_number": (c_int, [c_void_p, c_char_p, POINTER(c_double)]),
    "fine_run_options_init": (None, [POINTER(fine_run_options), c_size_t]),
    "fine_schedule_factor": (c_double, [c_void_p, c_int64, c_int64]),
    "fine_schedule_free": (None, [c_void_p]),
    "fine_schedule_new": (c_int, [POINTER(c_void_p), c_void_p, c_char_p, POINTER(fine_schedule_options)]),
    "fine_schedule_options_init": (None, [POINTER(fine_schedule_options), c_size_t]),
    "fine_session_embed": (c_int, [c_void_p, POINTER(c_char_p), c_int64, POINTER(fine_embed_options)]),
    "fine_session_embedding": (POINTER(c_float), [c_void_p, c_int64, POINTER(c_int64)]),
    "fine_session_evaluate": (c_int, [c_void_p, c_void_p, POINTER(c_void_p)]),
    "fine_session_fill": (c_int, [c_void_p, c_int64, c_int64, c_int64, POINTER(fine_fill_info)]),
    "fine_session_free": (None, [c_void_p]),
    "fine_session_generate": (c_int, [c_void_p, POINTER(c_char_p), c_int64, POINTER(fine_generate_options)]),
    "fine_session_generated": (c_char_p, [c_void_p, c_int64]),
    "fine_session_generated_ending": (c_int32, [c_void_p, c_int64]),
    "fine_session_generated_ids": (POINTER(c_int32), [c_void_p, c_int64, POINTER(c_int64)]),
    "fine_session_label": (c_int64, [c_void_p, c_int64]),
    "fine_session_n_fills": (c_int64, [c_void_p, c_int64, c_int64]),
    "fine_session_n_masks": (c_int64, [c_void_p, c_int64]),
    "fine_session_n_spans": (c_int64, [c_void_p, c_int64]),
    "fine_session_new": (c_int, [POINTER(c_void_p), c_void_p]),
    "fine_session_predict": (c_int, [c_void_p, POINTER(c_char_p), POINTER(c_char_p), c_int64]),
    "fine_session_scores": (POINTER(c_float), [c_void_p, c_int64]),
    "fine_session_span": (c_int, [c_void_p, c_int64, c_int64, POINTER(fine_span_info)]),
    "fine_session_truncated": (c_int64, [c_void_p, c_int64]),
    "fine_session_value": (c_double, [c_void_p, c_int64]),
    "fine_sgd_options_init": (None, [POINTER(fine_sgd_options), c_size_t]),
    "fine_strerror": (c_char_p, [c_int]),
    "fine_task_options_init": (None, [POINTER(fine_task_options), c_size_t]),
    "fine_tensors_count": (c_int64, [c_void_p]),
    "fine_tensors_free": (None, [c_void_p]),
    "fine_tensors_get": (c_int, [c_void_p, c_char_p, POINTER(c_int32), POINTER(c_int64), POINTER(POINTER(c_int64)), POINTER(c_void_p)]),
    "fine_tensors_name": (c_char_p, [c_void_p, c_int64]),
    "fine_tensors_new": (c_int, [POINTER(c_void_p), c_void_p]),
    "fine_tensors_open": (c_int, [POINTER(c_void_p), c_void_p, c_char_p]),
    "fine_tensors_put": (c_int, [c_void_p, c_char_p, c_int32, c_int64, POINTER(c_int64), c_void_p]),
    "fine_tensors_save": (c_int, [c_void_p, c_char_p]),
    "fine_tokenizer_decode": (c_int, [c_void_p, POINTER(c_int32), c_int64, c_int32, c_char_p, c_int64, POINTER(c_int64)]),
    "fine_tokenizer_encode": (c_int, [POINTER(c_void_p), c_void_p, c_char_p, c_int64, c_char_p, c_int64, POINTER(fine_encode_options)]),
    "fine_tokenizer_free": (None, [c_void_p]),
    "fine_tokenizer_open": (c_int, [POINTER(c_void_p), c_void_p, c_char_p]),
    "fine_tokenizer_piece": (c_char_p, [c_void_p, c_int64]),
    "fine_tokenizer_vocab_size": (c_int64, [c_void_p]),
    "fine_trainer_checkpoint": (c_int, [c_void_p]),
    "fine_trainer_due": (c_int, [c_void_p]),
    "fine_trainer_evaluate": (c_int, [c_void_p, POINTER(c_void_p)]),
    "fine_trainer_finish": (c_int, [c_void_p, POINTER(c_void_p)]),
    "fine_trainer_finished": (c_int, [c_void_p]),
    "fine_trainer_fit": (c_int, [c_void_p, POINTER(c_void_p)]),
    "fine_trainer_free": (None, [c_void_p]),
    "fine_trainer_new": (c_int, [POINTER(c_void_p), c_void_p, c_void_p, c_void_p, c_void_p, POINTER(fine_trainer_options)]),
    "fine_trainer_options_init": (None, [POINTER(fine_trainer_options), c_size_t]),
    "fine_trainer_progress": (POINTER(fine_progress), [c_void_p]),
    "fine_trainer_restore_best": (c_int, [c_void_p]),
    "fine_trainer_step": (c_int, [c_void_p]),
    "fine_version": (c_char_p, []),
}

FINE_OK = 0
FINE_LOG_WARNING = 1
FINE_LOG_INFO = 2
FINE_LOG_DEBUG = 3
FINE_BOOL = 1
FINE_U8 = 2
FINE_I8 = 3
FINE_I16 = 4
FINE_U16 = 5
FINE_I32 = 6
FINE_U32 = 7
FINE_I64 = 8
FINE_U64 = 9
FINE_F16 = 10
FINE_BF16 = 11
FINE_F32 = 12
FINE_F64 = 13
FINE_OFFSETS_BYTES = 0
FINE_OFFSETS_CHARS = 1
FINE_HIDDEN_STATES = 1
FINE_PARAM_GRADIENTS = 2
FINE_ENDED_ENOUGH = 1
FINE_ENDED_TEXT = 2
FINE_ENDED_FULL = 3
FINE_ENDED_STOPPED = 4
FINE_DECAY_MATRICES = 0
FINE_DECAY_ALL = 1
FINE_EVENT_STEP = 1
FINE_EVENT_EVALUATE = 2
FINE_EVENT_CHECKPOINT = 3
FINE_EVENT_DONE = 4

ERRORS = {
    -1: ("FINE_EINVAL", "invalid argument"),
    -2: ("FINE_ENOMEM", "out of memory"),
    -3: ("FINE_EIO", "cannot read or write"),
    -4: ("FINE_EFORMAT", "malformed file"),
    -5: ("FINE_ESHAPE", "weights do not fit the model"),
    -6: ("FINE_EUNSUPPORTED", "not supported by this build"),
    -7: ("FINE_ERECIPE", "recipe has errors"),
    -8: ("FINE_ENUMERIC", "not a finite number"),
    -9: ("FINE_ESTATE", "call not allowed now"),
    -10: ("FINE_ECANCELLED", "stopped by callback"),
    -11: ("FINE_EABI", "caller is newer than the library"),
    -12: ("FINE_EBUSY", "in use by another process or thread"),
    -13: ("FINE_EFORK", "used on the wrong side of a fork"),
    -14: ("FINE_EDATA", "data has errors"),
}
